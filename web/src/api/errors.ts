import { isRecord } from "./guards";

/** An answer of the server that is not a success, or no answer at all (`status` 0). */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Seconds to wait before the same request may succeed. */
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }

  /** Whether it says that nobody is logged in any more, as opposed to a wrong password or code. */
  get isLoggedOut(): boolean {
    return this.status === 401 && ["unauthorized", "token_expired", "token_withdrawn"].includes(this.code);
  }

  static async from(response: Response): Promise<ApiError> {
    const body: unknown = await response
      .clone()
      .json()
      .catch(() => null);
    const { detail, error_code } = isRecord(body) ? body : {};
    return new ApiError(
      response.status,
      typeof error_code === "string" ? error_code : `http_${response.status}`,
      typeof detail === "string" ? detail : "",
      retryAfter(response.headers),
    );
  }

  static unreachable(): ApiError {
    return new ApiError(0, "unreachable", "");
  }
}

/** `Retry-After` in seconds; it may come as a number of seconds or as a date. */
export function retryAfter(headers: Headers, now = Date.now()): number | null {
  const value = headers.get("Retry-After");
  if (!value) return null;
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - now) / 1000);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}
