/** What the document calls `api`: axios with the server's address and the administrator's token. */
import axios from "axios";

export const api = axios.create({ baseURL: "http://localhost:8000/api" });

api.interceptors.request.use((config) => {
  config.headers.set("Authorization", `Bearer ${localStorage.getItem("token")}`);
  return config;
});
