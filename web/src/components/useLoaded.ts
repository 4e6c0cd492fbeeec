import { useEffect, useState } from "react";

const AGAIN_MS = 2_000;

/**
 * What is fetched only once it is needed, or null until it is there. A fetch that fails is tried again for as long as it is
 * needed: in a call the page behind must not fall with it.
 */
export function useLoaded<Loaded>(load: () => Promise<Loaded>, needed: boolean): Loaded | null {
  const [loaded, setLoaded] = useState<{ value: Loaded } | null>(null);
  useEffect(() => {
    if (!needed || loaded) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let gone = false;
    const fetchIt = () =>
      load().then(
        (value) => gone || setLoaded({ value }),
        () => {
          if (!gone) timer = setTimeout(() => void fetchIt(), AGAIN_MS);
        },
      );
    void fetchIt();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [load, needed, loaded]);
  return loaded?.value ?? null;
}
