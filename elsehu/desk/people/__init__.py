"""Teams and operators: who may get which conversations, how many, and when."""
