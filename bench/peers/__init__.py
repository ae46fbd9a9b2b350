"""The servers that Commsite is measured beside, each in its stock form."""
