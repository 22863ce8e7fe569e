/* Panels show no formulas. JupyterLab insists on a formula library, by default from another site: this one does nothing. */
window.MathJax = { Hub: { Config() {}, Configured() {}, Queue() {}, Register: { StartupHook() {} } } };
