import { Button, Group, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { refusalInWords } from "../api/refusals";
import { languageName } from "../components/language";
import { Notice } from "../components/Notice";
import { saveProfile } from "./api";
import { Dialog } from "./Dialog";
import type { Profile, ProfileChange, Profiles } from "./types";

/** As the server’s refusals call them. */
const KINDS = [
  ["stt", "Speech to text"],
  ["llm", "Language model"],
  ["tts", "Text to speech"],
] as const;

/** Where a language sounds different, and vendors know it. */
const REGIONS: Record<string, string[]> = { en: ["en-GB", "en-IN", "en-US"] };

const MOST_OF_A_VOICE = 100;

interface EditProfileProps {
  profile: Profile | null;
  providers: Profiles["providers"];
  close: () => void;
  changed: (before: Profile) => void;
}

/** In which language, with which voice and by whom an agent's calls are served. */
export function EditProfileDialog({ profile, providers, close, changed }: EditProfileProps) {
  return (
    <Dialog opened={profile !== null} onClose={close} title={`Change ${profile?.name ?? "the agent"}`}>
      {profile && (
        <EditProfileForm
          key={profile.agent_type}
          profile={profile}
          providers={providers}
          close={close}
          changed={changed}
        />
      )}
    </Dialog>
  );
}

function EditProfileForm({ profile, providers, close, changed }: EditProfileProps & { profile: Profile }) {
  const [language, setLanguage] = useState(profile.language);
  const [voice, setVoice] = useState(profile.voice);
  const [named, setNamed] = useState({
    stt: profile.stt_provider ?? "",
    llm: profile.llm_provider ?? "",
    tts: profile.tts_provider ?? "",
  });
  const saving = useMutation({
    mutationFn: (change: ProfileChange) => saveProfile(profile.agent_type, change),
    onSuccess: () => {
      changed(profile);
      close();
    },
  });

  function name(kind: keyof typeof named, vendor: string) {
    setNamed({ ...named, [kind]: vendor });
    if (kind === "tts") setVoice(""); // it is another vendor's
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    saving.mutate({
      language,
      voice: voice.trim(),
      stt_provider: named.stt || null,
      llm_provider: named.llm || null,
      tts_provider: named.tts || null,
    });
  }

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Text>Calls that are open go on as they are.</Text>
        <NativeSelect
          size="md"
          label="Language"
          value={language}
          onChange={(event) => setLanguage(event.currentTarget.value)}
          data={languagesOf(profile).map((tag) => ({ value: tag, label: languageName(tag) }))}
          data-autofocus
        />
        {KINDS.map(([kind, label]) => (
          <NativeSelect
            key={kind}
            size="md"
            label={label}
            value={named[kind]}
            onChange={(event) => name(kind, event.currentTarget.value)}
            data={choicesOf(providers[kind] ?? [], profile[`${kind}_provider`])}
          />
        ))}
        <TextInput
          size="md"
          label="Voice"
          description="The vendor’s id of a voice. Left empty, the vendor has one for the language."
          maxLength={MOST_OF_A_VOICE}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={voice}
          onChange={(event) => setVoice(event.currentTarget.value)}
        />
        {saving.error && (
          <div ref={(refusal) => refusal?.scrollIntoView({ block: "nearest" })}>
            <Notice trouble>{refusalInWords(saving.error)}</Notice>
          </div>
        )}
        <Group gap="sm" className="actions">
          <Button type="submit" loading={saving.isPending}>
            Save
          </Button>
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** What it can speak, with the regions that make a difference, and what it speaks now. */
function languagesOf({ language, languages }: Profile): string[] {
  return [...new Set([...languages.flatMap((tag) => [tag, ...(REGIONS[tag] ?? [])]), language])];
}

/** The vendors of a kind; those that lack something are shown with what they lack. */
function choicesOf(offered: Profiles["providers"][string], now: string | null | undefined) {
  const each = offered.map(({ name, ready, why }) => ({
    value: name,
    label: ready ? name : `${name} (${why})`,
    disabled: !ready && name !== now,
  }));
  const listed = now && !offered.some(({ name }) => name === now);
  return [
    { value: "", label: "As the server is set" },
    ...each,
    ...(listed
      ? [
          {
            value: now,
            label: now
              .replace(/^fallback:/, "")
              .split(",")
              .join(", then "),
          },
        ]
      : []),
  ];
}
