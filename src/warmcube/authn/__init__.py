"""Who asks: identities from tokens and sessions. What they may is the directory's to say."""
