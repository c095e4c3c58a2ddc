import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  // Relative, so that the page also works below a path of another server.
  base: "./",
  build: {
    outDir: "../api/static",
    emptyOutDir: true,
    // Nothing is inlined as a data: URL, which the page's Content-Security-Policy allows for images only.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.{ts,tsx}"], restoreMocks: true },
});
