// How the console is built and tested. It is not how it is served: the host embeds
// `dist/` into its binary (host/src/api/assets.rs).
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const fake = process.env.FAKE ?? "http://localhost:56000";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    target: "es2022",
    // Nothing is inlined: the host forbids inline scripts, styles and fonts.
    assetsInlineLimit: 0,
    manifest: "manifest.json",
    sourcemap: false,
  },
  server: { proxy: { "/api": { target: fake } } },
  test: {
    environment: "happy-dom",
    include: ["tests/**/*.test.ts", "tests/**/*.test.tsx"],
    setupFiles: ["tests/setup.ts"],
    restoreMocks: true,
    // Generous: a machine that builds something else meanwhile is slow, not wrong.
    testTimeout: 60_000,
  },
});
