package acceptance

// Suite is the version of the checks, which the manifest of a verified image names. It rises
// with every check that is added or asks for more.
const Suite = 3
