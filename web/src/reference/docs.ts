import "swagger-ui-dist/swagger-ui.css";
import "./docs.css";

import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const showColours = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", showColours);
showColours();

SwaggerUI({
  url: "/openapi.json",
  domNode: document.getElementById("docs"),
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null, // Else the page would ask its makers' server for a badge.
});
