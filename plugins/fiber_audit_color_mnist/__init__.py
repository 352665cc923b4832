"""Color MNIST."""
