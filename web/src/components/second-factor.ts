/** Where people find the code that is asked for. */
export function whereIsTheCode(method: "totp" | "code", sentTo: string): string {
  if (method === "totp") return "Open your authenticator app and type the code it shows for Parley.";
  return sentTo ? `We have sent a code to ${sentTo}.` : "We have sent you a code.";
}
