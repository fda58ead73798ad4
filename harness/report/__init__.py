"""Turn recorded runs into what people and other systems read; reads ``results/`` only."""
