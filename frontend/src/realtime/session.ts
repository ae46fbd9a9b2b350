/**
 * Whether the server still knows this page's session.
 *
 * Any answer but a plain refusal counts as yes: a server that is down or busy is no reason to tell
 * somebody that they are signed out.
 */
export async function isSignedIn(fetcher: typeof fetch = fetch): Promise<boolean> {
  try {
    const answer = await fetcher("/api/v1/preferences/", {
      headers: { accept: "application/json" },
      cache: "no-store",
    });
    return answer.status !== 401 && answer.status !== 403;
  } catch {
    return true;
  }
}

/** The surroundings of a socket in a page. */
export const browserSurroundings = {
  isOnline: (): boolean => navigator.onLine,
  isSignedIn: (): Promise<boolean> => isSignedIn(),
};
