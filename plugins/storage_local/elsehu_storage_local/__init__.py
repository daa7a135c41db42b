"""Media on the local disk for Elsehu."""
