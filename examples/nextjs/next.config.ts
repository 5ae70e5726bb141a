import type { NextConfig } from "next";

const config: NextConfig = {
  turbopack: { root: import.meta.dirname }, // the example is a project of its own
};

export default config;
