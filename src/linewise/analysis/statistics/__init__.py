"""Statistics over seeds and images: contrasts, exact tests, resampling, panels of networks, power.

Everything takes arrays `correct_SN`: for each of S seeds and each of N images, whether the answer was right.
"""
