"""`trained`: a diffusion or a flow that `fiber-audit fit` trains on the user's own data."""
