"""Where and when: the command line, the deployments, the demo, the profiles."""
