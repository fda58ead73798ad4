"""Keep what runs show over nights: measures, rates, baselines, trends; reads ``results/`` only."""
