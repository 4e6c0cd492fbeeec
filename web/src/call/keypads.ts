/** The keypads come when one may be needed: most calls do without. */
export const loadKeypads = () => Promise.all([import("./KeypadDialog"), import("./NumberPad")]);
