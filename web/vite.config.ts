import { defineConfig } from "vite";

// Relative addresses, so that the page works below any path of a reverse proxy; nothing is inlined,
// since the Content-Security-Policy allows files alone.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    reportCompressedSize: true,
  },
});
