"""VGG16 and its head, its Grad-CAM in closed form, and what a training asks of both."""
