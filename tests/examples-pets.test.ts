/** The pets example, whole: programs in sh and TypeScript behind the contract that other implementations share. */
import { describePetstore } from "./petstore.ts";

describePetstore("pets");
