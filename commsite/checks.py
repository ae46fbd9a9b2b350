"""System checks: settings that contradict each other stop the start, with a sentence."""
