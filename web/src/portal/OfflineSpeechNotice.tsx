import { Notice } from "../components/Notice";

export function OfflineSpeechNotice() {
  return <Notice>The recogniser on this machine is simple: speak clearly, watch the captions, or type.</Notice>;
}
