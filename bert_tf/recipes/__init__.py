"""One plain function a verb: configuration in, trained model out. Here all the rooms meet."""
