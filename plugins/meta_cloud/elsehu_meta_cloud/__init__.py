"""Meta's WhatsApp Cloud API for Elsehu: the plugin's hooks. What they do stands in the modules that they call."""
