"""Answer from counts alone how often something fails and how sure that is; scipy is imported when it is needed."""
