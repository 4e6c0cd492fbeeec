/**
 * A page made of source 003's own React code, in `source003/` to the letter: log-in by password and by code, the choice of
 * an agent, and the administrator's calls. Whatever those return is written into the page for tests to read.
 */
import { useState, type ReactElement } from "react";
import { createRoot } from "react-dom/client";

import { FastRTC } from "./fastrtc";
import { loginAdmin } from "./source003/admin-login.js";
import { fetchAgentTraffic } from "./source003/fetch-agent-traffic.js";
import { fetchOTPs } from "./source003/fetch-otps.js";
import { generateOTPs } from "./source003/generate-otps.js";
import { loginWithOTP } from "./source003/otp-login.js";
import { updateOTP } from "./source003/update-otp.js";
import VoiceAgentPage from "./source003/voice-agent.jsx";

function LogIns({ onDone }: { onDone: () => void }): ReactElement {
  const [said, setSaid] = useState("");

  async function logIn(form: FormData): Promise<void> {
    const field = (name: string) => form.get(name) as string;
    const code = field("code");
    const done = code ? await loginWithOTP(code) : await loginAdmin(field("username"), field("password"));
    setSaid(String(done));
    if (done) onDone();
  }

  return (
    <form action={logIn}>
      <input name="username" aria-label="Username" />
      <input name="password" aria-label="Password" />
      <input name="code" aria-label="Code" />
      <button>Log in</button>
      <output>{said}</output>
    </form>
  );
}

function Dashboard(): ReactElement {
  const [said, setSaid] = useState("");
  const [made, setMade] = useState("");

  const show = (name: string, work: () => Promise<unknown>) => (
    <button onClick={() => void work().then((found) => setSaid(`${name} ${JSON.stringify(found)}`))}>{name}</button>
  );

  async function generate(): Promise<unknown> {
    const codes = await generateOTPs(2, 5);
    setMade(codes?.[0]?.id ?? "");
    return codes;
  }

  return (
    <main>
      {show("fetchOTPs", fetchOTPs)}
      {show("generateOTPs", generate)}
      {show("updateOTP", () => updateOTP(made, 3))}
      {show("fetchAgentTraffic", fetchAgentTraffic)}
      <output>{said}</output>
    </main>
  );
}

function Page(): ReactElement {
  const [userType, setUserType] = useState(() => localStorage.getItem("userType"));
  if (userType === "admin") return <Dashboard />;
  if (userType === "otp") return <VoiceAgentPage />;
  return <LogIns onDone={() => setUserType(localStorage.getItem("userType"))} />;
}

Object.assign(window, { streams: FastRTC.made });
createRoot(document.getElementById("root")!).render(<Page />);
