"""In the page scikit-learn itself is not at hand; its bundled data sets are, in `sklearn.datasets`."""
