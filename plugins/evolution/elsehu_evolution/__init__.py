"""Evolution API (WhatsApp) for Elsehu."""
