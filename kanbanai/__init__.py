"""The roof: settings, addresses and servers that compose the apps."""
