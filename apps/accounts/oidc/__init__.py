"""The one place that speaks to an OpenID provider; mozilla-django-oidc is not seen outside of it.

`discovery` and `keys` read what the provider publishes, `client` runs the code flow, `claims` says
what of a token the product believes, `refusals` why somebody did not get in. It writes nothing.
"""
