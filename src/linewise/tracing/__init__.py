"""How a trained network reads one image: its answers, memory and gates step by step."""
