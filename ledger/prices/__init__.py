"""What treatments cost, and what of it an outlet gets: money, prices, shares."""
