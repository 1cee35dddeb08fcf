// Where the console begins: the claim secret is taken out of the address, the language is
// fetched, and the app is shown.
import "./style.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./shell/app";
import { takeSecret } from "./shell/secret";
import { applyTheme } from "./shell/theme";
import { speak, wanted } from "./strings";

takeSecret();
applyTheme();
const root = document.getElementById("root");
if (root) {
  void speak(wanted()).then(() => {
    createRoot(root).render(
      <StrictMode>
        <App />
      </StrictMode>,
    );
  });
}
