"""Pictures to learn expressions from: augmentation and mixing."""
