# Process 1 never gets anywhere.
while :; do :; done
