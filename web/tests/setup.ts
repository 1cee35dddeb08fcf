// Before each test: nothing mounted, nothing remembered.
import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

configure({ asyncUtilTimeout: 20_000 });

afterEach(() => {
  cleanup();
  globalThis.localStorage?.clear();
});
