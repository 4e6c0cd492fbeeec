"""Speech and language vendors: one file each, offering any of `stt`, `llm` and `tts`."""
