/**
 * The shapes that the provider publishes, before they become XML.
 *
 * @module
 */

/** A zone as published. */
export interface Zone {
  id: number;
  capacity: number;
  /** Decimal, two digits after the point; in a bad plan, something else. */
  price: string;
  name: string;
  numbered: boolean;
}

/** A plan as published; dates are `YYYY-MM-DDTHH:MM:SS` without zone, in a bad plan something else. */
export interface Plan {
  /** Undefined in a bad plan: the attribute is left out. */
  id: number | undefined;
  start: string;
  end: string;
  sellFrom: string;
  sellTo: string;
  soldOut: boolean;
  zones: Zone[];
}

/** A base plan as published. */
export interface BasePlan {
  id: number;
  sellMode: "online" | "offline";
  title: string;
  /** Undefined where the provider leaves the attribute out. */
  organizerCompanyId: number | undefined;
  plans: Plan[];
}
