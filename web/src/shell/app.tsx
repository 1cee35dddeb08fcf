// The app: cache, router, and the moment a session of the browser ends.
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useReducer } from "react";
import { LOGGED_OUT } from "../api/client";
import { client, queries } from "../api/queries";
import * as keys from "../focus/keys";
import * as pad from "../focus/pad";
import { Notes } from "../parts/announce";
import { language } from "../strings";
import { router } from "./router";

let leaving = false;

/** Any answer "not logged in" leads to the login page, and from there back here. */
function leave(): void {
  const path = router.state.location.pathname;
  // Many requests may be refused at once; they lead there once.
  if (leaving || path === "/login" || path === "/claim") return;
  leaving = true;
  client.removeQueries({ queryKey: queries.me.queryKey });
  void router.invalidate().finally(() => {
    leaving = false;
  });
}

export function App() {
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const ends = [keys.listen(), pad.listen()];
    window.addEventListener(LOGGED_OUT, leave);
    window.addEventListener("languagechange-chosen", again);
    return () => {
      for (const end of ends) end();
      window.removeEventListener(LOGGED_OUT, leave);
      window.removeEventListener("languagechange-chosen", again);
    };
  }, []);
  return (
    <QueryClientProvider client={client}>
      {/* Another language is another page: nothing keeps a text of the old one. */}
      <div key={language()} className="contents">
        <RouterProvider router={router} />
        <Notes />
      </div>
    </QueryClientProvider>
  );
}
