"""What a net learns from: pictures with a truth, rendered or cut from datasets."""
