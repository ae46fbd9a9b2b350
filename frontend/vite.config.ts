import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { iconSprite } from "./icons.plugin.ts";

const here = import.meta.dirname;

export default defineConfig({
  // Django serves what is built here under STATIC_URL.
  base: "/static/",
  publicDir: resolve(here, "public"),
  build: {
    outDir: resolve(here, "../static"),
    emptyOutDir: true,
    manifest: true,
    target: "es2022",
    // The tokens are `light-dark()` pairs; older engines would need every colour twice.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // The content security policy forbids data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: {
        site: resolve(here, "src/site.ts"),
        home: resolve(here, "src/conversation/home.ts"),
        conversation: resolve(here, "src/conversation/page.ts"),
      },
    },
  },
  plugins: [
    iconSprite({
      account: "CircleUserRound",
      add: "Plus",
      "add-person": "UserPlus",
      admin: "ShieldCheck",
      assistant: "Sparkles",
      attach: "Paperclip",
      back: "ArrowLeft",
      check: "Check",
      close: "X",
      conversations: "MessagesSquare",
      device: "Monitor",
      delete: "Trash2",
      down: "ArrowDown",
      download: "Download",
      error: "CircleAlert",
      file: "FileText",
      info: "Info",
      key: "KeyRound",
      keyboard: "Keyboard",
      logout: "LogOut",
      people: "Users",
      phone: "Smartphone",
      pin: "Pin",
      reply: "Reply",
      search: "Search",
      send: "SendHorizontal",
      thread: "MessageSquareText",
      unfold: "ChevronDown",
    }),
  ],
  test: { environment: "happy-dom", include: ["tests/**/*.test.ts"] },
});
