"""Model classes for ``seldon-core-microservice``: they run in the model server's environment."""
