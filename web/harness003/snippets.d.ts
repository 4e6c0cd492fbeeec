// The document's functions, as its text describes them.
type Code = { id: string; code: string | null; max_uses: number; remaining_uses: number };

declare module "*/source003/admin-login.js" {
  export const loginAdmin: (username: string, password: string) => Promise<boolean>;
}
declare module "*/source003/otp-login.js" {
  export const loginWithOTP: (otpCode: string) => Promise<boolean>;
}
declare module "*/source003/voice-agent.jsx" {
  export default function VoiceAgentPage(): import("react").ReactElement;
}
declare module "*/source003/fetch-otps.js" {
  export const fetchOTPs: () => Promise<Code[]>;
}
declare module "*/source003/generate-otps.js" {
  export const generateOTPs: (count?: number, maxUses?: number) => Promise<Code[] | null>;
}
declare module "*/source003/update-otp.js" {
  export const updateOTP: (otpId: string, maxUses: number) => Promise<Code | null>;
}
declare module "*/source003/fetch-agent-traffic.js" {
  export const fetchAgentTraffic: () => Promise<{ agent_type: string; total: number; today: number; live: number }[]>;
}
