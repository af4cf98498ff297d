"""The command line `lenet-c`: one file a command. `main` parses and turns errors into messages,
`common` is what the commands share.
"""
