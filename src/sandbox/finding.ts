/** What was looked at on this machine, for `urocket doctor` and start messages. */
export interface Finding {
  /** What: "OCI runtime", "nftables", "control groups". */
  readonly what: string;
  /** "missing": what needs it does not work; "limited": it works with less. */
  readonly state: "ok" | "limited" | "missing";
  /** What was found: "crun 1.8.1 (/usr/bin/crun)"; or what is wrong and what does not work because of that. */
  readonly detail: string;
  /** What to type or change. Of what is not "ok". */
  readonly fix?: string;
}
