"""Language models for the programs that serve them: GGUF files, Ollama and vLLM."""
